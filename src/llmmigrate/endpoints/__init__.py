"""Model endpoints: who is asked, how a request is sent within limits, and what came of it.

The only room, with `recording`, that opens connections. It knows what decides how a request is sent (address, dialect,
limits, failures, when a stream has begun and ended); what an answer says and costs is read by `logs` and priced by
`costing`, as if it came from a log.
"""
