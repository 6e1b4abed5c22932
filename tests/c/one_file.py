"""One file by two copies of a library in one process: a second copy of signoff is refused, and what another SQLite takes away when
it closes the file is recorded again.

    python3 tests/c/one_file.py bindings/ctypes libsignoff.so another-copy-of-libsignoff.so signoff.db
"""

import ctypes
import os
import sqlite3
import subprocess
import sys
from ctypes import byref, c_void_p

sys.path.insert(0, sys.argv[1])
import logout  # noqa: E402

OTHER_COPY, REVOKE_SESSION = 5024, 5


class Engine:
    def __init__(self, library, path):
        self.lib, self.error, self.handle = logout.load(library), logout.Error(), c_void_p()
        self.lib.signoff_engine_free.argtypes = [c_void_p]
        secret, keys, log = b"a secret of at least 32 bytes, kept secret", c_void_p(), c_void_p()
        assert self.lib.signoff_key_set_from_secret(1, secret, len(secret), 0, byref(keys), byref(self.error)) == 0
        text = path.encode()
        options = logout.LogOptions(kind=logout.LOG_SQLITE, flags=logout.LOG_CREATE_IF_MISSING, path=logout.Str.of(text))
        assert self.lib.signoff_log_new(byref(options), byref(log), byref(self.error)) == 0
        policy = logout.Policy()
        self.status = self.lib.signoff_engine_open(keys, byref(policy), log, byref(self.handle), byref(self.error))

    def revoke(self, session):
        value = session.encode()
        revocation = logout.Revocation(target=REVOKE_SESSION, value=logout.Str.of(value))
        return self.lib.signoff_engine_revoke(self.handle, byref(revocation), None, None, byref(self.error))


# For whoever is killed behind it: no handler of this process runs any more.
KILLED = """
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT value FROM revocation").fetchall()
print(len({value for value, in rows}))
"""


def main(library, copy, path):
    engine = Engine(library, path)
    assert engine.status == 0, engine.error.message

    second = Engine(copy, path)
    assert second.status == OTHER_COPY, second.status
    assert b"another copy of signoff in this process" in second.error.message
    elsewhere = Engine(copy, path + ".other")
    assert elsewhere.status == 0, "another file is nobody else's"

    # Often: a copy that finds nobody at the memory cuts it off, under whoever looks at it in that moment.
    for number in range(30):
        assert engine.revoke(f"before-{number}") == 0, engine.error.message
        # Whoever looks into the file with another SQLite, as with Python's own, or better-sqlite3 beside the package for Node.
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM revocation").fetchone()[0] >= 1
        other.close()
        assert engine.revoke(f"after-{number}") == 0, engine.error.message
    seen = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=True)
    print("recorded:", seen.stdout.strip())
    sys.stdout.flush()
    # No orderly end.
    os.kill(os.getpid(), 9)


main(*sys.argv[2:])
