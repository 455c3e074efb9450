"""The compatibility audit: can a logged request be put to a target, and in which words.

`requests` reads what a request asks for, `targets` what is known of a target, `rules` holds one against the other,
`translate` writes the request in the target's dialect, `traffic` adds up the findings over a log.
"""
