"""How many tokens to ask for after a refusal, and how long to wait, as tables of what servers say."""

import pytest

from pipeline.engines.server.room import fewer_tokens
from pipeline.engines.server.waiting import wait_said

NO_NUMBERS = "Please reduce the length of the messages or completion."


@pytest.mark.parametrize(
    ("message", "fewer"),
    [
        # vLLM, from 0.9 on
        ("max_tokens=1000 cannot be greater than max_model_len=256. Please request fewer output tokens. "
         "(parameter=max_tokens, value=1000)", 256),
        ("This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens, which "
         "exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
         "(parameter=input_tokens, value=257)", 0),
        ("This model's maximum context length is 256 tokens. However, your prompt contains 9000 characters (more than 4096 "
         "characters, which is the upper bound for 256 input tokens). Please reduce the length of the input prompt.", 0),
        ("'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 256 tokens and "
         "your request has 240 input tokens (1000 > 256 - 240).", 16),
        ("This model's maximum context length is 256 tokens. However, you requested 1240 tokens (240 in the messages, 1000 "
         "in the completion). Please reduce the length of the messages or completion.", 16),
        ("max_tokens must be at least 1, got -160", 0),
        # OpenAI, DeepSeek, llama-cpp-python
        ("This model's maximum context length is 4097 tokens, however you requested 5000 tokens (4000 in your prompt; 1000 "
         "for the completion). Please reduce your prompt; or completion length.", 97),
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please reduce "
         "the length of the messages.", 0),
        ("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 289650 tokens.", 0),
        ("max_tokens is too large: 1000. This model supports at most 400 completion tokens, whereas you provided 1000.", 400),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 400]", 400),
        ("Invalid max_tokens value, the valid range of max_tokens is [1,400]", 400),
        # SGLang
        ("Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 "
         "tokens: 4000 tokens from the input messages and 1000 tokens for the completion.", 96),
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 0),
        # OpenRouter
        ("This endpoint's maximum context length is 1100 tokens. However, you requested about 1153 tokens (153 of text "
         "input, 1000 in the output). Please reduce the length of either one.", 947),
        ("This endpoint's maximum context length is 2000 tokens. However, you requested about 2432 tokens (1084 of text "
         "input, 348 of tool input, 1000 in the output).", 568),
        ("This endpoint's maximum context length is 16384 tokens. However, you requested about 94307 tokens (94307 of text "
         "input). Please reduce the length of either one.", 0),
        ("This endpoint's maximum context length is 600 tokens. However, you requested about 1153 tokens (153 of text "
         "input, 1000 in the output). Please reduce the length of either one.", 447),
        # TGI
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1500 `inputs` tokens and 1000 "
         "`max_new_tokens`", 548),
        ("Input validation error: `inputs` must have less than 1024 tokens. Given: 1500", 0),
        # llama.cpp
        ("the request exceeds the available context size. try increasing the context size or enable context shift, "
         "n_prompt_tokens = 1407, n_ctx = 256", 0),
        ("the request exceeds the available context size, try increasing it, n_prompt_tokens = 153, n_ctx = 1100", 947),
        ("request (1407 tokens) exceeds the available context size (256 tokens), try increasing it", 0),
        ("request (1153 tokens) exceeds the available context size (1100 tokens), try increasing it", 947),
        ("Requested tokens (2285) exceed context window of 2048", 763),
        # LM Studio
        ("Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context length "
         "of only 4096 tokens, which is not enough.", 0),
        # Anthropic, Mistral, Gemini, Cohere, Bedrock, Groq, xAI, Fireworks
        ("input length and `max_tokens` exceed context limit: 4000 + 1000 > 4500, decrease input length or `max_tokens` and "
         "try again", 500),
        ("prompt is too long: 205000 tokens > 200000 maximum", 0),
        ("max_tokens: 1000 > 400, which is the maximum allowed number of output tokens for this model", 400),
        ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", 0),
        ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 0),
        ("too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 6000.", 0),
        ("The maximum tokens you requested exceeds the model limit of 400. Try again with a maximum tokens value that is "
         "lower than 400.", 400),
        ("`max_tokens` must be less than or equal to `400`, the maximum value for `max_tokens` is less than the "
         "`context_window` for this model", 400),
        ("This model's maximum prompt length is 131072 but the request contains 150000 tokens.", 0),
        ("The prompt is too long: 9500, model maximum context length: 8191", 0),
        ("This model's maximum context length is 4,097 tokens, however you requested 5,000 tokens (4,000 in your prompt; "
         "1,000 for the completion).", 97),
        # in words that no provider is known for
        ("This model has a maximum context of 4096 tokens, but 5000 tokens were requested (4000 prompt + 1000 completion)", 96),
        ("Total tokens 5000 exceeds limit 4096", 96),
        ("It exceeds the 4096 token limit: 5000 requested", 96),
        ("Requested 5000 tokens but the maximum is 4096 (prompt 4000)", 96),
        ("prompt (4000) + max_tokens (1000) > context (4096)", 96),
        ("4000 + 1000 tokens exceed 4096", 96),
        ("your prompt is 4000 tokens long and you asked for 1000, which is more than the 4096 available", 96),
        ("Max context: 4096, got 4000 + 1000 tokens", 96),
        ("Input is 4000 tokens and max_tokens is 1000: they exceed the context window of 4096", 96),
        ("4096-token context exceeded", 0),
        # of TensorRT-LLM, exllama, watsonx, Cohere, DashScope, Gemini, Zhipu, llama.cpp; and other ways to name a limit
        ("Prompt length (4000) + max_new_tokens (1000) exceeds max_seq_len 4096", 96),
        ("The sum of prompt length (4000.0), query length (0) and max_tokens (1000) should not exceed max_num_tokens (4096)", 96),
        ("Prompt length 5000 is greater than max_seq_len 4096", 0),
        ("the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this model", 0),
        ("too many tokens: size limit exceeded by 976 tokens. Try using shorter or fewer inputs.", 24),
        ("This request is 96 tokens over the context window", 904),
        ("max context length 4096 exceeded by 904 tokens", 96),
        ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 400]", 400),
        ("Range of input length should be [1, 30720]", 0),
        ("it has a maxOutputTokens value of 1000 but the supported range is from 1 (inclusive) to 401 (exclusive).", 400),
        ("max_tokens 参数非法：最大值为 400", 400), ("max_tokens 不能超过 400", 400),
        ("模型最大上下文长度为 4096 tokens，您请求了 5000 tokens（输入 4000，输出 1000）", 96),
        ("llama_decode: failed: n_tokens 4000 + n_predict 1000 > n_ctx 4096", 96),
        ("max_tokens: must be between 1 and 400", 400), ("max_tokens should be in [1, 400]", 400),
        ("max_tokens is limited to 400", 400), ("the output limit is 400 tokens", 400), ("max_tokens is capped at 400", 400),
        ("Requested max_tokens 1000 > 400", 400), ("`max_tokens` has to be lower than 400", 399),
        ("max_tokens cannot be greater than 400", 400), ("Invalid value for max_tokens: 1000. Must be in range 1-400", 400),
        ("temperature must be between 0 and 400", 0), ("max 4 stop tokens between 1 and 400", 0),
        (NO_NUMBERS, 500),
        ("max_tokens is too large for me", 500),
        ("Input is too long for requested model.", 0),
        ("temperature must be non-negative", 0),
        ("'stop': the maximum number of items is 4, such as stop tokens", 0),
        ("This key is not valid", 0),
    ],
)  # fmt: skip
def test_a_refusal_says_how_many_tokens_to_ask_for(message: str, fewer: int) -> None:
    assert fewer_tokens(message, 1000) == fewer


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Rate limit reached. Please try again in 6s. Visit https://example.com", 6),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 1h2m3.5s", 3723.5),
        ("Please try again in 120ms.", 0.12),
        ('{"error": {"details": [{"@type": "RetryInfo", "retryDelay": "44s"}]}}', 44),
        ('{"retryDelay": "45.837906927s"}', 45.837906927),
        (r'{"raw": "{\"retryDelay\": \"3s\"}"}', 3),
        ("You exceeded your quota. Please retry in 58.9s.", 58.9),
        ("Please retry after 20 seconds.", 20),
        ('{"retry_after": 3}', 3),
        ('{"retry_after_ms": 1500}', 1.5),
        ("wait for 2 minutes before the next request", 120),
        ("retry after 1 minute and 5 seconds", 65),
        ("Try again later", 0),
        ("we retry 5 times", 0),
        ("retry_after: soon", 0),
        ("", 0),
    ],
)
def test_a_wait_that_only_the_body_names_is_found(body: str, seconds: float) -> None:
    assert wait_said(body) == pytest.approx(seconds)
