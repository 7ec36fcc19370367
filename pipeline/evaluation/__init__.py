"""Models and answers in; scores, intervals and verdicts out."""
