"""The audit of whole files: every call once, whatever the file holds."""

from pathlib import Path

import msgspec

from llmmigrate.costing.audit.findings import VERDICTS
from llmmigrate.costing.audit.results import Audit
from llmmigrate.costing.audit.targets import Target
from llmmigrate.costing.audit.traffic import Auditor
from llmmigrate.costing.bill import Biller
from llmmigrate.errors import InputError
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.prices import Catalog

NOON = 1_795_348_800


def audited(path: Path, catalog: Catalog, targets: list[Target]) -> Audit | None:
    """The audit of a file; None for one without calls."""
    auditor = Auditor(Biller(catalog, as_of=NOON), targets)
    try:
        profile = read([str(path)], ReadOptions(keep_text=True), on_call=auditor.add)
    except InputError:
        return None
    return auditor.result(profile, command="", version="")


def test_hostile_and_real_files_are_audited_whole(data: Path, catalog: Catalog, glm: Target, claude: Target) -> None:
    seen = 0
    for path in sorted([*(data / "hostile").glob("[0-9]*"), *(data / "formats").glob("*.jsonl")]):
        found = audited(path, catalog, [glm, claude])
        if found is None:
            continue
        seen += 1
        calls = found.total.calls
        assert sum(msgspec.structs.astuple(found.bodies)) == calls, path.name
        for target in found.targets:
            assert sum(part.calls for part in msgspec.structs.astuple(target.verdicts)) == calls, path.name
            for rule in target.rules:
                assert 0 < sum(getattr(rule, verdict) for verdict in VERDICTS) <= calls, path.name
    assert seen > 50


def test_an_audit_does_not_depend_on_the_order_of_targets(
    data: Path, catalog: Catalog, glm: Target, claude: Target
) -> None:
    path = data / "formats" / "http_capture_request_response.jsonl"
    one, other = (audited(path, catalog, targets) for targets in ([glm, claude], [claude, glm]))
    assert one is not None
    assert other is not None
    assert one.targets == other.targets[::-1]
    assert one.targets[0].verdicts.refused.calls > 50
