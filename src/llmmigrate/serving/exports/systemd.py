"""A systemd unit: the engine as a service of this machine, its whole process group ended with it."""

from llmmigrate.serving.exports import Deployment


def files(deployment: Deployment) -> dict[str, str]:
    """The unit, and beside it a file for the key where the engine takes one."""
    unit = f"{deployment.name}.service"
    found = {unit: _unit(deployment)}
    if deployment.key_variable is not None:
        found[f"{deployment.name}.env.example"] = (
            f"# Copy to /etc/llmmigrate/{deployment.name}.env, readable by root alone, and fill in.\n"
            f"{deployment.key_variable}=\n"
        )
    return found


def _unit(deployment: Deployment) -> str:
    lines = [
        f"# {deployment.header}",
        "[Unit]",
        f"Description={_escaped(deployment.title)} at {deployment.host}:{deployment.port}",
        "Wants=network-online.target",
        "After=network-online.target",
        "StartLimitIntervalSec=600",
        "StartLimitBurst=4",
        "",
        "[Service]",
        *(f'Environment="{name}={_quoted(value)}"' for name, value in sorted(deployment.environment.items())),
        *([f"EnvironmentFile=/etc/llmmigrate/{deployment.name}.env"] if deployment.key_variable is not None else []),
        *([f"WorkingDirectory={_escaped(deployment.directory)}"] if deployment.directory is not None else []),
        f"ExecStart={' '.join(_word(word) for word in (deployment.program, *deployment.arguments))}",
        "Restart=on-failure",
        "RestartSec=5",
        "KillMode=control-group",
        "TimeoutStopSec=30",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """A word of a command line; quoted where systemd would take it apart."""
    plain = text and all(letter.isalnum() or letter in "-_./:=,+@" for letter in text)
    return text if plain else f'"{_quoted(text)}"'.replace("$", "$$")


def _quoted(text: str) -> str:
    return _escaped(text).replace("\\", "\\\\").replace('"', '\\"')


def _escaped(text: str) -> str:
    """Percent signs are specifiers, and a line end would end the setting."""
    return text.replace("%", "%%").replace("\n", " ")
