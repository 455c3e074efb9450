"""The waist: one `Call` per request, and the additive `Profile` that every later step reads."""
