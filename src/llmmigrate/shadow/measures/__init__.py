"""What is measured on each pair: one file a measure, found by its name.

A measure is a module with `NAME`, `KIND`, a one-line `ABOUT`, and the function of its kind:

    figure      value(arm) -> float | None            a number of one side: latency, tokens, cost; `UNIT` names its unit
    validity    valid(asked, answer) -> float | None  1 where the answer keeps what the request demands, else 0
    agreement   agree(asked, one, other) -> float | None   how alike two answers to one request are, 0 to 1

None means "does not apply to this request" (no schema was demanded, no tool is offered, the call failed), and never 0.
`asked` is a `shadow.pairs.Sampled`, answers are `shadow.pairs.Answer`.
"""
