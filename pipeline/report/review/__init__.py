"""People read tasks and answers in a browser, and say what these are worth: server, page, repair, blind rating."""
