"""Programs on this machine: a number that a pid file has kept may be somebody else's by now."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmmigrate.errors import GatewayError
from llmmigrate.rollout.gateways.nginx import PROGRAM
from llmmigrate.rollout.process import send_hangup

WAITS = "import signal, time; signal.signal(signal.SIGHUP, lambda *_: exit(7)); print(1, flush=True); time.sleep(30)"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system does not tell of processes")
@pytest.mark.parametrize(("name", "code"), [("nginx: master process", 7), ("sleep", -signal.SIGTERM)])
def test_only_nginx_is_told_to_reload(tmp_path: Path, name: str, code: int) -> None:
    with subprocess.Popen([name, "-c", WAITS], executable=sys.executable, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        (tmp_path / "nginx.pid").write_text(f"{process.pid}\n")
        if code == 7:
            send_hangup(tmp_path / "nginx.pid", PROGRAM)
        else:
            with pytest.raises(GatewayError, match="no gateway runs with") as refused:
                send_hangup(tmp_path / "nginx.pid", PROGRAM)
            assert (refused.value.code, refused.value.why) == (
                "not_running",
                f"{process.pid} is another program's process",
            )
            process.terminate()
        assert process.wait(20) == code


def test_a_process_that_is_gone_is_none(tmp_path: Path) -> None:
    (tmp_path / "nginx.pid").write_text(str(2**22 - 1))
    with pytest.raises(GatewayError, match="no gateway runs with"):
        send_hangup(tmp_path / "nginx.pid", PROGRAM)
