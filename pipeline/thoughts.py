"""The marks that models put around the thoughts before an answer."""

import re

# DeepSeek, Qwen and most others; Seed-OSS, LongCat, MiniMax; Claude; Magistral; Kimi; gpt-oss; OpenThinker and Sky-T1;
# Command A; MedGemma; Apertus; Gemma; and a page that shows them.
OPENS = (
    r"<[Tt](?i:hink(?:ing)?)(?: [^<>\n]{0,80})?>|<\w{1,20}[:_]think(?:ing)?>|<antThinking>|\[THINK\]|◁think▷"
    r"|<\|channel\|>(?:analysis|commentary)(?:<\|message\|>)?|<\|begin_of_thought\|>|<\|START_THINKING\|>|<unused94>"
    r"|<\|inner_prefix\|>|<\|channel>thought\b|&lt;think(?:ing)?&gt;"
)
CLOSES = (
    r"</[Tt](?i:hink(?:ing)?) ?>|</\w{1,20}[:_]think(?:ing)?>|</antThinking>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>final(?:\s?<\|constrain\|>\w{1,20})?<\|message\|>|<\|end_of_thought\|>|<\|END_THINKING\|>|<unused95>|<\|inner_suffix\|>|<channel\|>"
    r"|&lt;/think(?:ing)?&gt;"
)
_FIRST = re.compile(  # what may stand elsewhere too, and is a thought only where a text begins with it
    r"\s*+(?:"
    r"<(?P<name>thoughts?|reasoning|reflection|scratchpad|(?:inner|internal)_monologue)(?: [^<>\n]{0,80})?>.*?"
    r"(?:</(?P=name)>|\Z)"
    r"|<details[^<>\n]{0,80}>\s*<summary>\s*(?:Think|Thought|Reason)[^<\n]{0,80}</summary>.*?(?:</details>|\Z)"
    r"|```(?:think(?:ing)?|thoughts?|reasoning)[^\S\n]*\n.*?(?:\n```(?!\w)|\Z)"
    r"|Here is my thought process:.*?(?:Here is my response:|\Z)"  # Granite
    r"|analysis(?=\S).*?assistantfinal"  # gpt-oss, whose tokens were left out
    r")",
    re.DOTALL,
)
_ENDS_FIRST = re.compile(r"</(thoughts?)>")  # EXAONE Deep, whose prompt opens them


_BEGINS = re.compile(r"\s*+(?:Here is my thought|analysis|```)")


def may_think(text: str) -> bool:
    """Whether a text has what the marks of thoughts begin with; most have none, and need no search."""
    if "<" in text or "[" in text or "◁" in text or "&lt;" in text:  # in a third of the time of `any`
        return True
    return _BEGINS.match(text) is not None


def end_of_first(text: str) -> int:
    """Where the thoughts end that a text begins with, in a layout that is none of `OPENS`; 0 if there are none."""
    if found := _FIRST.match(text):
        return found.end()
    found = _ENDS_FIRST.search(text)
    return found.end() if found and f"<{found[1]}>" not in text[: found.start()] else 0
