//! The tests of the harness itself, for every setup: it starts, answers, survives its faults, and leaves nothing behind.
//!
//! What is not possible with servers that were given by a URL is reported as ignored.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use state_tests::proxy::Fault;
use state_tests::servers::{Kind, Reply, Running, Servers, Setup, Version, wait_until};
use state_tests::{redis_checkpoints, redis_contract};

/// The oldest servers that are supported.
const VERSION_MIN: Version = Version::new(7, 0, 0);
/// How long a frozen server is watched: that nothing comes cannot be waited for.
const A_MOMENT: Duration = Duration::from_millis(100);

/// A test that is the same for every setup.
type Check = fn(Setup) -> Result<(), Failed>;

/// The tests for every setup.
pub(crate) fn trials(setup: Setup) -> Vec<Trial> {
    let given = std::env::var_os("STATE_REDIS_URL").is_some();
    let mut trials = vec![trial("harness::all_servers_answer", move || all_answer(setup))];
    let controlled: [(&str, Check); 6] = [
        ("harness::a_killed_server_comes_back_with_its_data", comes_back),
        ("harness::a_frozen_server_is_silent_until_it_goes_on", freezes),
        ("harness::proxies_carry_what_clients_send", carries),
        ("harness::nothing_is_left_after_drop", leaves_nothing_after_drop),
        ("harness::nothing_is_left_after_ctrl_c", leaves_nothing_after_ctrl_c),
        ("harness::nothing_is_left_after_kill", leaves_nothing_after_kill),
    ];
    for (name, check) in controlled {
        trials.push(trial(name, move || check(setup)).with_ignored_flag(given));
    }
    trials
}

/// Runs `trials` and the whole contract, which has servers of its own.
pub(crate) fn run(setup: Setup, mut trials: Vec<Trial>) -> ExitCode {
    let servers = match Servers::start(setup) {
        Ok(servers) => Arc::new(servers),
        Err(error) => {
            let start = move || Err(Failed::from(error));
            trials.push(Trial::test("contract::servers_start", start));
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    };
    trials.extend(redis_contract::trials(&servers));
    // Over TLS every connection costs more: there only in long runs.
    let long = setup == Setup::Tls && std::env::var_os("STATE_SOAK").is_some();
    if setup.is_one_server() || setup == Setup::Cluster || long {
        trials.extend(redis_contract::trials_with_index_and_log(&servers));
    }
    if setup.is_one_server() || matches!(setup, Setup::Sentinel | Setup::Cluster) {
        trials.extend(redis_checkpoints::trials(&servers));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Err(refused) = nothing_refused(&servers) {
        let name = "contract::the_documented_user_is_refused_nothing";
        drop(writeln!(std::io::stdout(), "test {name} ... FAILED\n\n{refused:?}"));
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// What the user of the setup with TLS may not do, nothing may ask for: not even where the driver goes on without it.
fn nothing_refused(servers: &Running) -> Result<(), Failed> {
    if servers.user().is_none() {
        return Ok(());
    }
    let log = ask(servers, 0, &["ACL", "LOG"])?;
    let refused: Vec<_> = log.items().iter().filter_map(|one| one.field("object")).collect();
    if refused.is_empty() { Ok(()) } else { Err(format!("refused: {refused:?}").into()) }
}

/// A test whose failure is any error.
pub(crate) fn trial(
    name: &str,
    check: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::test(name, check)
}

/// A command to a server that must succeed.
pub(crate) fn ask(running: &Running, place: usize, words: &[&str]) -> Result<Reply, Failed> {
    Ok(running.admin(place, words)?.ok()?)
}

fn all_answer(setup: Setup) -> Result<(), Failed> {
    let running = Servers::start(setup)?;
    for place in 0..running.nodes().len() {
        assert_eq!(ask(&running, place, &["PING"])?.text(), "PONG");
    }
    assert!(running.version() >= VERSION_MIN, "{:?} is too old", running.version());
    assert!(running.url().contains("://"));
    Ok(())
}

/// A key that the server takes, and that the user of the setup with TLS may use.
fn key(running: &Running, place: usize) -> Result<String, Failed> {
    for number in 0.. {
        let key = format!("state:harness:{number}");
        if !matches!(running.admin(place, &["EXISTS", &key])?, Reply::Error(_)) {
            return Ok(key);
        }
    }
    Err("no key".into())
}

fn comes_back(setup: Setup) -> Result<(), Failed> {
    let running = Servers::start(setup)?;
    let place = *running.primaries().first().ok_or("no primary")?;
    let key = key(&running, place)?;
    ask(&running, place, &["SET", &key, "kept"])?;
    let pid = running.node(place)?.pid();
    running.kill(place)?;
    assert!(running.admin(place, &["PING"]).is_err(), "a dead server answers");
    running.restart(place)?;
    assert_ne!(running.node(place)?.pid(), pid);
    running.wait_until_settled()?;
    let keeper = |place: &usize| matches!(running.admin(*place, &["GET", &key]), Ok(Reply::Bulk(value)) if value == b"kept");
    assert!(running.primaries().iter().any(keeper), "the value is lost");
    running.stop(place)?;
    assert!(running.admin(place, &["PING"]).is_err(), "a stopped server answers");
    Ok(())
}

fn freezes(setup: Setup) -> Result<(), Failed> {
    let running = Servers::start(setup)?;
    running.freeze(0)?;
    let answered = thread::scope(|scope| {
        let asking = scope.spawn(|| running.admin(0, &["PING"]));
        thread::park_timeout(A_MOMENT);
        let early = asking.is_finished();
        running.thaw(0)?;
        let answer = asking.join().map_err(|_| Failed::from("asking panicked"))??;
        assert!(!early, "a frozen server answered");
        Ok::<_, Failed>(answer.text())
    });
    assert_eq!(answered?, "PONG");
    Ok(())
}

fn carries(setup: Setup) -> Result<(), Failed> {
    let running = Servers::new(setup).with_proxies().run()?;
    for node in running.nodes().iter().filter(|node| node.kind() == Kind::Data) {
        let proxy = node.proxy().ok_or("no proxy")?;
        let before = proxy.counts();
        let mut client = TcpStream::connect(node.address())?;
        client.set_read_timeout(Some(Duration::from_secs(20)))?;
        client.write_all(b"PING\r\n")?;
        let mut reply = [0; 7];
        if setup == Setup::Tls {
            // Refused, by an alert or a reset: in either case it has passed.
            assert!(!matches!(client.read(&mut reply), Ok(7)), "{reply:?}");
            assert_eq!(proxy.counts().since(&before).bytes_to_server, 6);
            continue;
        }
        client.read_exact(&mut reply)?;
        assert_eq!(&reply, b"+PONG\r\n");
        assert!(proxy.counts().since(&before).count("PING") >= 1);
        proxy.set(Fault::Refuse);
        assert!(TcpStream::connect(node.address()).is_err());
        proxy.set(Fault::Pass);
    }
    running.wait_until_settled()?;
    // What the servers tell about themselves are their proxies.
    for place in running.primaries() {
        let node = running.node(place)?;
        let port = node.address().port();
        assert_ne!(port, node.direct_address().port());
        if setup == Setup::Cluster {
            let told = ask(&running, place, &["CLUSTER", "NODES"])?.text();
            let own = told.lines().find(|line| line.contains("myself")).unwrap_or_default();
            assert!(own.contains(&format!(":{port}@")), "{own}");
        }
    }
    Ok(())
}

fn leaves_nothing_after_drop(setup: Setup) -> Result<(), Failed> {
    let kept = Kept::start(setup)?;
    let Kept { mut child, input, left } = kept;
    drop(input);
    assert!(child.wait()?.success());
    left.assert_gone()
}

fn leaves_nothing_after_ctrl_c(setup: Setup) -> Result<(), Failed> {
    leaves_nothing_after(setup, Signal::INT)
}

fn leaves_nothing_after_kill(setup: Setup) -> Result<(), Failed> {
    leaves_nothing_after(setup, Signal::KILL)
}

fn leaves_nothing_after(setup: Setup, signal: Signal) -> Result<(), Failed> {
    let mut kept = Kept::start(setup)?;
    // One server does not listen to anything but a kill.
    let frozen = kept.left.pids.first().ok_or("no process")?;
    kill_process(*frozen, Signal::STOP)?;
    kill_process(Pid::from_child(&kept.child), signal)?;
    let ended = wait_until("the program has ended", || kept.child.try_wait().ok().flatten());
    if ended.is_err() {
        kept.child.kill()?;
    }
    assert!(!ended?.success());
    kept.left.assert_gone()
}

/// Whether this program was started so that Ctrl-C does not reach it; where the system does not tell, it does.
fn ignores_ctrl_c() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    ignored.is_some_and(|set| set & (1 << (Signal::INT.as_raw() - 1)) != 0)
}

/// Another program that has started the servers.
struct Kept {
    child: Child,
    input: Option<ChildStdin>,
    left: Left,
}

/// What must be gone when that program is.
struct Left {
    pids: Vec<Pid>,
    folder: String,
}

impl Kept {
    fn start(setup: Setup) -> Result<Self, Failed> {
        let program = env!("CARGO_BIN_EXE_servers");
        // Who runs in the background ignores Ctrl-C, and so would everything that it starts.
        let mut command = if ignores_ctrl_c() {
            let mut command = Command::new("env");
            command.args(["--default-signal=INT", program]);
            command
        } else {
            Command::new(program)
        };
        command.arg(setup.name()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let mut left = Left { pids: Vec::new(), folder: String::new() };
        for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
            let line = line?;
            match line.split_once(' ').ok_or("a line without words")? {
                ("pid", pid) => left.pids.extend(Pid::from_raw(pid.parse()?)),
                ("folder", folder) => folder.clone_into(&mut left.folder),
                ("url", _) => {}
                _ => break,
            }
        }
        assert!(!left.pids.is_empty() && !left.folder.is_empty(), "it has not started");
        Ok(Self { child, input, left })
    }
}

impl Left {
    fn assert_gone(&self) -> Result<(), Failed> {
        for pid in &self.pids {
            wait_until("a server has ended", || test_kill_process(*pid).is_err().then_some(()))?;
        }
        let folder = std::path::Path::new(&self.folder);
        wait_until("the folder is removed", || (!folder.exists()).then_some(()))?;
        Ok(())
    }
}
