"""What is asked: a short chat, about 4 kB of Japanese business prose, about 100 kB of it. ``MARK``: see ``load``."""

from __future__ import annotations

import json

from bench.gateway.load import MARK

_SYSTEM = "あなたは銀行の法人営業を助ける担当者です。"
_SHORT = f"{MARK}、来期の設備投資計画の資料はいつ届きますか。"
# With what the guardrails look for.
_PARAGRAPH = (
    f"{MARK}でお世話になっております。第一営業部の山田太郎です。先日ご相談いただいた設備資金の件、"
    "担当の佐藤様（携帯 090-1234-5678、メール sato@example.co.jp）と打ち合わせをいたしました。"
    "返済原資は来期の営業キャッシュフローを見込み、金利は年1.8%、期間7年で検討しております。"
    "ご住所は東京都千代田区丸の内1-2-3です。"
)
_TEXTS = {
    "short": _SHORT,
    "4kB": _PARAGRAPH * 9 + "以上を要約してください。",
    "100kB": _PARAGRAPH * 225 + "以上を要約してください。",
}
KINDS = tuple(_TEXTS)


def body(kind: str, *, stream: bool = False) -> str:
    """The JSON of a chat request of one of ``KINDS``."""
    messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _TEXTS[kind]}]
    value = {"model": "standin", "messages": messages, "max_tokens": 400, **({"stream": True} if stream else {})}
    return json.dumps(value, ensure_ascii=False)
