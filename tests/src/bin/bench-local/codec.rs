//! Formats and compressions on realistic state: size, encoding and decoding.

use comfy_table::Table;
use serde::{Deserialize, Serialize};
use state_codec::{
    Bincode, Codec, Compression, CompressionId, Envelope, EnvelopeOptions, Json, MessagePack,
};
use state_tests::bench::{Figure, Outcome, median, say, timed};

/// A turn of a conversation, as agents keep them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Turn {
    role: String,
    content: String,
    tool: Option<String>,
    tokens: u32,
    at_ms: u64,
}

/// What an agent keeps of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    thread: String,
    step: u32,
    budget: f64,
    done: bool,
    turns: Vec<Turn>,
}

const WORDS: [&str; 24] = [
    "reservation",
    "please",
    "the",
    "flight",
    "to",
    "on",
    "confirm",
    "cancel",
    "passenger",
    "and",
    "economy",
    "baggage",
    "insurance",
    "for",
    "payment",
    "date",
    "from",
    "change",
    "of",
    "is",
    "available",
    "would",
    "refund",
    "certificate",
];

fn text(seed: &mut u64, words: usize) -> String {
    let mut text = String::new();
    for _ in 0..words {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(*seed >> 33).unwrap_or(0) % WORDS.len();
        text.push_str(WORDS.get(index).copied().unwrap_or("x"));
        text.push(if seed.is_multiple_of(11) { '\n' } else { ' ' });
        if seed.is_multiple_of(7) {
            text.push_str(&(*seed >> 44).to_string());
        }
    }
    text
}

fn state(turns: usize) -> State {
    let mut seed = 7;
    let turns = (0_u32..).take(turns).map(|turn| Turn {
        role: if turn % 2 == 0 { "user" } else { "assistant" }.to_owned(),
        content: text(&mut seed, 60),
        tool: (turn % 3 == 0).then(|| text(&mut seed, 2)),
        tokens: turn * 37,
        at_ms: 1_780_000_000_000 + u64::from(turn) * 4_200,
    });
    State {
        thread: "airline-00-trial2".to_owned(),
        step: 12,
        budget: 0.25,
        done: false,
        turns: turns.collect(),
    }
}

type Encode = dyn Fn(&State) -> Outcome<bytes::Bytes>;

/// One way to store a value.
struct Way {
    name: String,
    encode: Box<Encode>,
}

fn ways() -> Vec<Way> {
    let compressions = [
        ("", Compression::none()),
        (" + lz4", Compression::new(CompressionId::Lz4)),
        (" + zstd", Compression::new(CompressionId::Zstd)),
    ];
    let mut ways = Vec::new();
    for (suffix, compression) in compressions {
        let options = EnvelopeOptions::new().with_compression(compression);
        ways.push(way::<Json>("JSON", suffix, options));
        ways.push(way::<MessagePack>("MessagePack", suffix, options));
        ways.push(way::<Bincode>("bincode", suffix, options));
    }
    ways
}

fn way<C: Codec>(name: &str, suffix: &str, options: EnvelopeOptions) -> Way {
    let encode = move |state: &State| Ok(Envelope::encode::<C, _>(state, options)?);
    Way { name: format!("{name}{suffix}"), encode: Box::new(encode) }
}

/// Size, encoding and decoding of each way against plain `serde_json`, one row per way.
pub(crate) fn figures(quick: bool) -> Outcome<Vec<Figure>> {
    let (rounds, repeats) = if quick { (5, 40) } else { (15, 200) };
    let mut figures = Vec::new();
    let mut table = Table::new();
    table.set_header(["state", "stored as", "bytes", "size", "encode", "decode"]);
    for turns in [2, 12, 150] {
        let state = state(turns);
        let plain = serde_json::to_vec(&state)?;
        for way in ways() {
            let [size, encode, decode] = measure(&state, &plain, &way, rounds, repeats)?;
            table.add_row([
                format!("{turns} turns, {} B", plain.len()),
                way.name,
                format!("{:.0}", size.value),
                format!("{:.2}", size.value / size.against_value),
                format!("{:.2} x", encode.ratio),
                format!("{:.2} x", decode.ratio),
            ]);
            figures.extend([size, encode, decode]);
        }
    }
    say("stored state: size as a share of plain JSON, speed as a multiple of plain serde_json");
    say(table);
    Ok(figures)
}

fn measure(
    state: &State,
    plain: &[u8],
    way: &Way,
    rounds: usize,
    repeats: usize,
) -> Outcome<[Figure; 3]> {
    let stored = (way.encode)(state)?;
    if Envelope::open(stored.clone())?.decode::<State>()? != *state {
        return Err(format!("{} does not come back", way.name).into());
    }
    let name = |what: &str| format!("{what} {} of {} B", way.name, plain.len());
    let (mut encode, mut decode) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let ours = per_call(repeats, || Ok((way.encode)(state)?.len()))?;
        let theirs = per_call(repeats, || Ok(serde_json::to_vec(state)?.len()))?;
        encode.push((ours, theirs));
        let ours = per_call(repeats, || {
            Ok(Envelope::open(stored.clone())?.decode::<State>()?.turns.len())
        })?;
        let theirs = per_call(repeats, || Ok(serde_json::from_slice::<State>(plain)?.turns.len()))?;
        decode.push((ours, theirs));
    }
    let sizes = [(bytes(stored.len()), bytes(plain.len()))];
    Ok([
        Figure::costs(name("size"), "bytes", "serde_json", &sizes),
        Figure::costs(name("encode"), "us", "serde_json", &encode),
        Figure::costs(name("decode"), "us", "serde_json", &decode),
    ])
}

/// Microseconds per call, the median of three.
fn per_call(repeats: usize, mut call: impl FnMut() -> Outcome<usize>) -> Outcome<f64> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let (took, ()) = timed(|| {
            for _ in 0..repeats {
                std::hint::black_box(call()?);
            }
            Ok(())
        })?;
        times.push(took.as_secs_f64() * 1e6 / bytes(repeats));
    }
    Ok(median(times))
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts far below 2^52")]
fn bytes(count: usize) -> f64 {
    count as f64
}
