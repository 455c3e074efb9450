"""What `init --ci` writes: a job that records a test suite's calls and holds them against the baseline."""

from typing import Final, NamedTuple


class CiFile(NamedTuple):
    """A file for one CI system, and what is to be done with it."""

    path: str
    text: str
    then: str


_CALLS: Final = "put what calls your models in place of pytest evals/"
_GITHUB: Final = """\
# Whether a change makes the LLM calls dearer: https://docs.github.com/actions
# The job fails where the check does (exit code 1). The baseline is made on main and committed, and again after a change
# that is wanted:
#   llmmigrate record -o run.jsonl -- pytest evals/ && llmmigrate check run.jsonl --update-baseline
name: llmmigrate
on: pull_request
permissions: {contents: read}
jobs:
  cost:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}  # the baseline is read from the target branch
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - name: Install
        run: pip install llmmigrate
      - name: Record
        # What calls the models. Pull requests of forks have no secrets.
        run: llmmigrate record -o run.jsonl -- pytest evals/
        env:
          OPENAI_API_KEY: ${{ secrets.OPENAI_API_KEY }}
          ANTHROPIC_API_KEY: ${{ secrets.ANTHROPIC_API_KEY }}
      - name: Check
        run: |
          llmmigrate check run.jsonl --baseline "git:origin/$BRANCH:.llmmigrate/baseline.profile.json" \\
            --format github -o - -o llmmigrate-check.json --summary "$GITHUB_STEP_SUMMARY"
        env:
          BRANCH: ${{ github.base_ref }}
"""

_GITLAB: Final = """\
# Whether a change makes the LLM calls dearer: https://docs.gitlab.com/ci/
# The job fails where the check does (exit code 1). The baseline is made on main and committed, and again after a change
# that is wanted:
#   llmmigrate record -o run.jsonl -- pytest evals/ && llmmigrate check run.jsonl --update-baseline
# Keys (OPENAI_API_KEY, ANTHROPIC_API_KEY) are masked variables of the project.
llmmigrate:
  image: python:3.12
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  variables:
    GIT_DEPTH: "0"
    BRANCH: $CI_MERGE_REQUEST_TARGET_BRANCH_NAME
  script:
    - pip install llmmigrate
    - llmmigrate record -o run.jsonl -- pytest evals/
    - git fetch --quiet origin "+refs/heads/$BRANCH:refs/remotes/origin/$BRANCH"
    - >-
      llmmigrate check run.jsonl --baseline "git:origin/$BRANCH:.llmmigrate/baseline.profile.json"
      --format table -o - -o llmmigrate-check.xml -o llmmigrate-check.json
  artifacts:
    when: always
    paths: [llmmigrate-check.json]
    reports:
      junit: llmmigrate-check.xml
"""

_INCLUDE: Final = "into .gitlab-ci.yml: include: /.gitlab/llmmigrate.yml"

CI_FILES: Final = {
    "github": CiFile(".github/workflows/llmmigrate.yml", _GITHUB, _CALLS),
    "gitlab": CiFile(".gitlab/llmmigrate.yml", _GITLAB, f"{_CALLS}, and {_INCLUDE}"),
}
"""CI system → its file."""
