//! Whether compression is worth its time, judged by a sample.

/// From this size on a sample is tried first.
const SAMPLED_FROM: usize = 64 << 10;
/// How many samples are taken, and how long each is.
const SAMPLES: usize = 4;
const SAMPLE_LEN: usize = 4 << 10;

/// The compressed bytes, if they save at least 10 %.
pub(super) fn if_worth(raw: &[u8], compress: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let shrinks = |raw: &[u8]| compress(raw).filter(|packed| saves_enough(packed.len(), raw.len()));
    if raw.len() >= SAMPLED_FROM {
        shrinks(&sample(raw))?;
    }
    shrinks(raw)
}

fn saves_enough(packed: usize, raw: usize) -> bool {
    packed <= raw - raw.div_ceil(10)
}

/// Pieces from the beginning, the end and evenly between.
fn sample(raw: &[u8]) -> Vec<u8> {
    let last = raw.len() - SAMPLE_LEN;
    let starts = (0..SAMPLES).map(|piece| piece * last / (SAMPLES - 1));
    starts.filter_map(|start| raw.get(start..start + SAMPLE_LEN)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_per_cent_must_be_saved() {
        assert!(saves_enough(90, 100));
        assert!(!saves_enough(91, 100));
        assert!(saves_enough(0, 0));
    }

    #[test]
    fn what_does_not_shrink_in_the_sample_is_not_tried_whole() {
        let largest = std::cell::Cell::new(0);
        let compress = |raw: &[u8]| {
            largest.set(largest.get().max(raw.len()));
            Some(raw.to_vec())
        };
        assert_eq!(if_worth(&vec![7; 1 << 20], compress), None);
        assert_eq!(largest.get(), SAMPLES * SAMPLE_LEN);
    }

    #[test]
    fn a_sample_reaches_from_the_first_byte_to_the_last() {
        let mut raw = vec![0; SAMPLED_FROM + 1];
        raw[0] = 1;
        *raw.last_mut().unwrap() = 2;
        let taken = sample(&raw);
        assert_eq!(taken.len(), SAMPLES * SAMPLE_LEN);
        assert_eq!((taken[0], taken.last().copied()), (1, Some(2)));
    }
}
