"""From a recording to a transcript with speakers: decode, voice activity, recognition, speakers, segments."""
