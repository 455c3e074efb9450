"""A rehearsal: the real gateway with the files as emitted, providers of ours that fall sick on cue, and traffic."""
