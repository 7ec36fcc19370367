"""New or not, in scripts that rouge_score is blind to."""

import pytest

from pipeline.novelty import Nearest
from pipeline.novelty.rouge import RougeIndex

NONE = Nearest(0.0, None)


@pytest.mark.parametrize(
    "text",
    [
        "请写一首关于春天的诗",
        "春についての詩を書いてください",
        "봄에 대한 시를 써 주세요",
        "Напиши стихотворение о весне",
        "اكتب قصيدة عن الربيع",
        "वसंत के बारे में एक कविता लिखो",
        "เขียนบทกวีเกี่ยวกับฤดูใบไม้ผลิ",
        "ចូរសរសេរកំណាព្យអំពីរដូវផ្ការីក",
        "😀 🎉 ?!",
        "…",
        "",
        "\ud83d",
    ],
)
def test_a_copy_is_rejected_in_any_script(text: str) -> None:
    index = RougeIndex(["Write a poem about spring", text])
    assert index.nearest(f" {text}\n") == Nearest(1.0, text)
    assert RougeIndex(["Write a poem about spring"]).nearest(text) == NONE


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ("用Python写一个排序函数", "请解释Python的优缺点"),
        ("Напиши функцию на Python", "Объясни, зачем нужен Python"),
        ("列出5种水果的名称", "推荐5本科幻小说"),
        ("เขียนฟังก์ชันด้วย Python", "อธิบายข้อดีของ Python"),
        ("😀", "😀😀"),
        ("?", "!"),
        ("", "…"),
    ],
)
def test_unrelated_texts_are_kept_in_any_script(kept: str, text: str) -> None:
    assert RougeIndex([kept]).nearest(text) == NONE


def test_a_changed_word_does_not_make_a_text_new_in_any_script() -> None:
    index = RougeIndex(["请写一首关于春天的诗", "Напиши короткое стихотворение о весне для детей"])
    assert index.nearest("请写一首关于秋天的诗").score == 0.9
    assert index.nearest("Напиши короткое стихотворение о зиме для детей").score == pytest.approx(6 / 7)
