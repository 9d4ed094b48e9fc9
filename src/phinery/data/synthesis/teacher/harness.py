"""The program that runs inside the child process of `run_limited`, as text.

It is text because it must run under an interpreter that knows nothing of this package.
"""

HARNESS = '''
import json, os, resource, sys

report = int(sys.argv.pop())
with open("task.json") as file:
    task = json.load(file)
os.unlink("task.json")

for name, value in (
    ("RLIMIT_AS", task["memory"]),
    ("RLIMIT_CPU", int(task["seconds"]) + 1),
    ("RLIMIT_CORE", 0),
    ("RLIMIT_FSIZE", 0),
    ("RLIMIT_NPROC", 0),
):
    # At the soft limit of processor time comes SIGXCPU, which tells what it was.
    hard = value + 1 if name == "RLIMIT_CPU" else value
    try:
        resource.setrlimit(getattr(resource, name), (value, hard))
    except (AttributeError, OSError, ValueError):
        pass  # not every system knows every limit

# The limit on processes does not hold for root, and root may do the most damage. The number is
# one that no account has.
if os.geteuid() == 0:
    nobody = 2_000_000_000 + os.getpid()
    try:
        os.seteuid(nobody)
        try:
            os.close(os.open(os.__file__, os.O_RDONLY))
            can_read_library = True
        except OSError:
            can_read_library = False
        os.seteuid(0)
        if can_read_library:
            os.setgroups([])
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
    except OSError:
        pass

REFUSED = frozenset(
    """os.fork os.forkpty os.exec os.posix_spawn os.spawn os.system os.kill os.killpg os.chdir
    os.chflags os.chmod os.chown os.link os.lockf os.mkdir os.remove os.removexattr os.rename
    os.rmdir os.setxattr os.symlink os.truncate os.unlink os.utime pty.spawn signal.pthread_kill
    subprocess.Popen socket.__new__ socket.connect socket.bind shutil.rmtree shutil.move
    shutil.copyfile tempfile.mkstemp tempfile.mkdtemp ctypes.dlopen ctypes.dlsym
    webbrowser.open _thread.start_new_thread""".split()
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse(event, arguments, REFUSED=REFUSED, WRITING=WRITING):
    if event in REFUSED:
        raise PermissionError(event + " is refused here")
    if event == "open":
        _, mode, flags = arguments
        if flags & WRITING or (mode and set(mode) & set("wax+")):
            raise PermissionError("only reading is allowed here")


def main():
    own = os.getpid()
    token = task.pop("token")
    write, leave, getpid = os.write, os._exit, os.getpid
    program = task.pop("program")
    sys.argv[:] = ["program.py"]
    sys.addaudithook(refuse)
    try:
        exec(compile(program, "program.py", "exec", dont_inherit=True), {"__name__": "__main__"})
        word = token
    except SystemExit:
        word = "ended early"
    except BaseException as error:
        word = type(error).__name__
    if getpid() == own:
        write(report, word.encode("utf-8", "replace") + b"\\n")
    leave(0)


main()
'''
