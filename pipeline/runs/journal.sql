-- The journal of a run. Its tables have no index while a run writes: see arrivals.py.
CREATE TABLE IF NOT EXISTS prefixes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS completions (
  key TEXT NOT NULL,         -- hash of model, prompt (text or messages), shape, and sampling but for max_tokens
  stage TEXT NOT NULL,
  request TEXT NOT NULL,     -- id of the request, unique within its stage
  demos TEXT NOT NULL,       -- JSON: ids of the tasks its prompt shows
  model TEXT NOT NULL,
  prefix INTEGER,            -- what the prompt begins with, in prefixes
  prompt TEXT NOT NULL,      -- the rest of the prompt; messages are JSON
  sampling TEXT NOT NULL,    -- JSON, with choices or json_schema if the completion was held to them
  max_tokens INTEGER NOT NULL,
  text TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  arrived REAL NOT NULL      -- seconds since 1970
);
CREATE TABLE IF NOT EXISTS likelihoods (
  key TEXT NOT NULL,         -- hash of model, prompt, continuation and count_end
  stage TEXT NOT NULL,
  request TEXT NOT NULL,     -- id of the request, unique within its stage
  model TEXT NOT NULL,
  prefix INTEGER,            -- what the prompt begins with, in prefixes
  prompt TEXT NOT NULL,      -- the rest of the prompt; messages are JSON
  continuation TEXT NOT NULL,
  count_end INTEGER NOT NULL,
  sum REAL NOT NULL,         -- the log-probability
  num_tokens INTEGER NOT NULL,
  per_token TEXT NOT NULL,   -- JSON
  prompt_tokens INTEGER NOT NULL,
  arrived REAL NOT NULL      -- seconds since 1970
);
CREATE TABLE IF NOT EXISTS sittings (  -- a stage at work, from its first request to its last completion
  id INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  seconds REAL NOT NULL,
  busy REAL NOT NULL,        -- seconds in which the engine had something to do
  in_flight REAL NOT NULL    -- seconds of all requests together: divided by busy, how many were in flight on average
);
