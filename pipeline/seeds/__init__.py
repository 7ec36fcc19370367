"""Files that people have, in; seed tasks out."""
