//! What `statectl` says when it is called without a command, and what `--help` adds to the commands.

/// The short guide.
pub(crate) const GUIDE: &str = "\
statectl looks into a state store, changes it, moves it, and shows that it
survives.

Begin with a demonstration: an agent lives through conversations, is killed
half-way, goes on at the exact step, and branches a what-if from its history.
  statectl demo

A store of your own is one file; the first write makes it:
  export STATE_STORE=file:./app.state
  statectl put user:7 '{\"name\":\"Ada\"}' --ttl 30m
  statectl get user:7
  statectl ls user:
  statectl snapshot backup.snap

Threads of checkpoints, such as the demonstration leaves behind:
  statectl threads
  statectl history THREAD
  statectl show THREAD --at step:3
  statectl export threads.jsonl

What a program and a person need to know of the store, and what it lacks:
  statectl info
  statectl doctor

Each command teaches itself: `statectl put --help`. All: `statectl --help`.
";

/// What follows the list of commands in `statectl --help`.
pub(crate) const AFTER_HELP: &str = "\
Stores:
  file:PATH    a durable store in one file, for one process at a time. A file of
               up to 16 MiB is checked as a whole when it is opened; of a larger
               one what is read is checked, and a key that damage has taken away
               reads as absent: `statectl info --verify` reads everything
  memory:      a store in the memory of this command; gone when it ends
  redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
               a server of Redis or Valkey, for many processes at once; with TLS
               rediss://; redis+sentinel://HOST,HOST/MASTER and
               redis+cluster://HOST,HOST with either; unix:///PATH for a socket.
               valkey and valkeys mean the same as redis and rediss. Settings
               follow as ?name=value&…, for example ?key_prefix=shop. In a
               password @ is written %40, / %2F, ? %3F, # %23, % %25. Other
               users of the machine can read command lines: a URL with a
               password belongs in STATE_STORE. Looking leaves nothing behind
               there; the first write records how the namespace is laid out.
               Where a program places keys by a rule of its own (a
               partitioner), only that program can open the namespace.

Keys and values:
  Keys are bytes. They are shown, and read, as text in which everything but
  printable ASCII is escaped: \\n, \\t, \\r, \\\\, \\', \\\", \\xNN. So what `ls` shows
  can be given to `get`. --raw-keys takes a backslash in an argument as it
  stands. What begins with a dash comes after `--`.
  Values are bytes: `put KEY TEXT`, `put KEY @FILE`, `put KEY -` (standard
  input). `get` writes them unchanged into a pipe or a file, and escaped where
  they would harm a terminal.
  Durations are written 500ms, 30s, 5m, 2h, 7d, or together: '1h 30m'.

Threads and checkpoints:
  Their names are text, shown and read with \\\\ for a backslash and \\xNN for
  what would harm a terminal. Where a checkpoint is asked for, `latest` and
  `step:N` mean one, too. Threads have a namespace of their own, best apart from
  other keys: --namespace.

Output:
  --json gives one JSON document, or for `ls`, `watch`, `threads` and `history`
  one per line. A value that is not UTF-8 stands in `value_base64`. Errors are a
  JSON document on standard error:
  {\"error\":{\"kind\",\"message\",\"outcome\",\"next\",\"exit_code\",…}}.
  --quiet leaves out notes and progress.
  Lines are as long as COLUMNS says, else as the terminal is wide, else 80.
  Tables leave columns out where they do not fit; ids, names and times are not
  broken.

Exit codes:
  0   done
  1   the answer is no: there is no such key, thread or checkpoint
  2   usage: an argument, a key, a value or a lifetime that can never be right
  3   the store cannot be reached, is locked by another process, or denies
      access
  4   conflict: a precondition does not hold, another holder has the lease, or
      what is asked first was not agreed to
  5   corrupt: what is stored, or a snapshot, is not what was written
  6   the store does not offer what was asked for
  7   a file cannot be read or written (input, snapshot, standard output)
  8   `demo` could not prove what it shows
  9   `doctor` has found a problem
  70  a defect; please report it

Examples:
  statectl demo
  statectl --store file:./app.state put greeting hello
  statectl --store file:./app.state ls
  STATE_STORE=file:./app.state statectl get greeting
";
