"""What the minutes app says when it cannot go on, in Japanese and English, by code.

Code that fails raises ``problem(BadInput, "audio_silent", file=…)``; pages and the command line show
``localise(error, language)``. Braces are filled from the error's ``values``.
"""

from __future__ import annotations

from typing import Final, TypeVar

from kakehashi.errors import KakehashiError

Language = str  # "ja" or "en"
Kind = TypeVar("Kind", bound=KakehashiError)

# code → language → (what happened and where, how to go on)
MESSAGES: Final[dict[str, dict[Language, tuple[str, str]]]] = {
    "audio_missing": {
        "ja": ("録音ファイル「{file}」が見つかりません。", "ファイル名と場所を確認してください。"),
        "en": ("The recording '{file}' does not exist.", "Check its name and folder."),
    },
    "audio_empty": {
        "ja": (
            "「{file}」は空のファイルです（0バイト）。",
            "コピーやアップロードが途中で止まっていないか確認し、元の録音を選び直してください。",
        ),
        "en": ("'{file}' is an empty file (0 bytes).", "Check that its copy or upload finished; choose the original."),
    },
    "audio_zero_length": {
        "ja": (
            "「{file}」には音声データが入っていません（長さ0秒）。",
            "録音機器で再生できるか確認し、別のファイルを選んでください。",
        ),
        "en": ("'{file}' holds no sound (length 0 s).", "Check that it plays on the recorder; choose another file."),
    },
    "audio_corrupt": {
        "ja": (
            "「{file}」を音声として読み取れません。ファイルが壊れています（{detail}）。",
            "元の録音をもう一度コピーするか、別の形式（wav、mp3、m4a など）で書き出してください。",
        ),
        "en": (
            "'{file}' cannot be decoded; the file is damaged ({detail}).",
            "Copy the original again, or export it in another format (wav, mp3, m4a …).",
        ),
    },
    "audio_no_track": {
        "ja": ("「{file}」には音声トラックがありません。", "音声の入った録画か、録音ファイルを選んでください。"),
        "en": ("'{file}' has no audio track.", "Choose a video with sound, or an audio recording."),
    },
    "audio_wrong_type": {
        "ja": (
            "「{file}」は録音ではありません（中身は{found}）。",
            "wav、mp3、m4a、mp4、webm、ogg、flac などの録音を選んでください。",
        ),
        "en": ("'{file}' is not a recording (it is {found}).", "Choose a wav, mp3, m4a, mp4, webm, ogg or flac file."),
    },
    "audio_silent": {
        "ja": (
            "「{file}」（{minutes}分）には話し声が見つかりませんでした。",
            "マイクがミュートになっていなかったか、音量が小さすぎないか、正しい録音かを確認してください。",
        ),
        "en": (
            "No speech was found in '{file}' ({minutes} min).",
            "Check that the microphone was not muted or too far away, and that this is the right recording.",
        ),
    },
    "audio_too_long": {
        "ja": (
            "「{file}」は長さが{hours}時間あり、上限の{limit}時間を超えています。",
            "録音を分けるか、設定 minutes.max_hours を大きくしてください。",
        ),
        "en": (
            "'{file}' lasts {hours} hours, more than the limit of {limit}.",
            "Split the recording, or raise the setting minutes.max_hours.",
        ),
    },
    "disk_full": {
        "ja": (
            "ディスクの空きがありません（必要 約{needed} MB、空き {free} MB）。",
            "空きを増やしてから再開してください。済んだ部分は残っています。",
        ),
        "en": (
            "The disk is full (about {needed} MB needed, {free} MB free).",
            "Free some space, then resume; what is done is kept.",
        ),
    },
    "speech_model_missing": {
        "ja": (
            "音声認識モデル「{model}」がありません。",
            "`make up` または `kakehashi models fetch` で取得してください。",
        ),
        "en": ("The speech model '{model}' is not installed.", "Run `make up`, or `kakehashi models fetch`."),
    },
    "speech_model_damaged": {
        "ja": (
            "音声認識モデル「{model}」を読み込めません（{detail}）。",
            "`kakehashi models fetch` で取り直してください。",
        ),
        "en": ("The speech model '{model}' cannot be loaded ({detail}).", "Fetch it again: `kakehashi models fetch`."),
    },
    "speaker_model_missing": {
        "ja": (
            "話者を聞き分けるモデルがありません。",
            "`make up` または `kakehashi models fetch` で取得してください。",
        ),
        "en": ("The speaker model is not installed.", "Run `make up`, or `kakehashi models fetch`."),
    },
    "language_unknown": {
        "ja": ("言語「{language}」には対応していません。", "ja、en などの言語コードを指定してください。"),
        "en": ("The language '{language}' is not supported.", "Give a language code such as ja or en."),
    },
}


# File kinds as the messages name them: kind → (Japanese, English).
KINDS: Final[dict[str, tuple[str, str]]] = {
    "program": ("実行プログラム", "an executable program"),
    "pdf": ("PDF文書", "a PDF document"),
    "zip": ("ZIPまたはOffice文書", "a ZIP archive or Office document"),
    "office": ("旧形式のOffice文書", "an old Office document"),
    "image": ("画像", "an image"),
    "playlist": ("再生リスト", "a playlist"),
    "text": ("テキスト", "text"),
    "archive": ("圧縮ファイル", "a compressed archive"),
    "midi": ("MIDIデータ", "MIDI data"),
    "unknown": ("不明な形式", "of an unknown type"),
}


def problem(kind: type[Kind], code: str, **values: str) -> Kind:
    """An error of the given kind with its English message; pages translate it by :func:`localise`."""
    message, hint = _filled(code, "en", values)
    return kind(message, hint=hint, code=code, values=values)


def localise(error: KakehashiError, language: Language) -> tuple[str, str]:
    """Message and hint in the user's language; an error of another part as it is."""
    if error.code not in MESSAGES:
        return error.message, error.hint
    return _filled(error.code, language, error.values)


def _filled(code: str, language: Language, values: dict[str, str]) -> tuple[str, str]:
    message, hint = MESSAGES[code]["ja" if language == "ja" else "en"]
    if "found" in values:
        values = values | {"found": KINDS[values["found"]][0 if language == "ja" else 1]}
    return message.format(**values), hint.format(**values)
