"""JUnit's XML, which GitLab, Jenkins and others read: one test case a finding."""

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from llmmigrate.reports import Finding, Report
from llmmigrate.reports.escape import visible

_NOT_XML: Final = re.compile("[\ufffe\uffff]")


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The findings as test cases: an error is a failure, a warning is said but passes; none for other results."""
    failures = sum(finding.level == "error" for finding in report.findings)
    suite = Element("testsuite", name="llmmigrate", tests=str(len(report.findings)), failures=str(failures), errors="0")
    for finding in report.findings:
        _add(suite, finding)
    indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _add(suite: Element, finding: Finding) -> None:
    case = SubElement(suite, "testcase", name=_text(finding.name), classname="llmmigrate")
    if finding.path is not None:
        case.attrib.update(file=finding.path, line=str(finding.line))
    if finding.level == "error":
        SubElement(case, "failure", message=_text(finding.text))
    else:
        SubElement(case, "system-out").text = _text(finding.text)


def _text(value: str) -> str:
    return _NOT_XML.sub("?", visible(value))
