"""What the worker of the minutes app does: speech, then minutes; each keeps its own results and is run again alone."""

from __future__ import annotations

from functools import partial

from apps.common.jobs import Failure, Kind, Outcome, Stage, Work
from apps.common.jobs.worker import failure
from apps.common.ui.gateway import client
from apps.minutes import pipeline
from apps.minutes.importers import read_transcript
from apps.minutes.model import Meeting as MeetingData
from apps.minutes.ui.edits import apply
from apps.minutes.ui.store import Meeting
from kakehashi.errors import BadInput, NotReady
from kakehashi.settings import Settings

SPEECH_STAGE, MINUTES_STAGE = 0, 1
LIGHT = "minutes-light"  # minutes anew: no speech, so it need not wait behind recordings


def request(meeting: Meeting) -> pipeline.Request:
    """What the user filled in, as the pipeline wants it."""
    options = meeting.options
    about = MeetingData(title=options.title, date=options.date, participants=options.participants)
    speakers = len(options.participants) if len(options.participants) > 1 else None
    return pipeline.Request(about, options.glossary, options.language or "auto", options.output_language, speakers)


def speech(loaded: Settings, work: Work) -> Outcome:
    """The recording as a transcript. The pipeline keeps its chunks, so a killed run goes on where it was."""
    meeting = Meeting(work.folder)
    asked = request(meeting)
    if meeting.has_sound:
        transcript = pipeline.speech(
            meeting.recording, work=work.folder.work, request=asked, settings=loaded, progress=work.progress
        )
    else:
        transcript = read_transcript(meeting.recording)
    pipeline.save_transcript(transcript, work.folder.out, asked)
    return Outcome()


def minutes(loaded: Settings, work: Work) -> Outcome:
    """The minutes, from the transcript as people corrected it. Without the model the rules alone write them."""
    meeting = Meeting(work.folder)
    recognised = meeting.transcript()
    if recognised is None:
        raise BadInput("There is no transcript yet.", code="upload_unknown")
    asked = request(meeting)
    failures: list[Failure] = []
    try:
        gateway = client(loaded, "minutes", work.info)
    except NotReady as error:
        gateway, failures = None, [failure("minutes", error)]
    corrected = apply(recognised, None, meeting.log.effective()).transcript
    made = pipeline.make_minutes(corrected, asked, client=gateway, work=work.folder.work, progress=work.progress)
    if made.error is not None:
        failures = [failure("minutes", made.error)]
    made.transcript = recognised  # what was recognised stays as it is; corrections are a layer over it
    work.progress("documents", 0.98)
    pipeline.write_documents(made, work.folder.out)
    return Outcome(state="attention" if failures else "done", failures=failures)


def kind(loaded: Settings) -> Kind:
    """Speech fills the machine, so one recording at a time; minutes anew may run beside it."""
    stages = (Stage("speech", partial(speech, loaded), end=0.75), Stage("minutes", partial(minutes, loaded)))
    return Kind("minutes", stages, {"minutes": 1, LIGHT: 2}, loaded.minutes.jobs_database_url)
