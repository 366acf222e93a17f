"""The body of an OTLP/HTTP request → what it tells, or a refusal. Owns both encodings, JSON and protobuf, and gzip.

Whatever a sender puts into prompts, commands and other attributes ends here: only what is wanted comes out.
"""

from app.otlp.decode import decode_logs, decode_metrics, decode_traces
from app.otlp.refusals import MalformedError, TooLargeError
from app.otlp.unzip import unzipped

__all__ = ["MalformedError", "TooLargeError", "decode_logs", "decode_metrics", "decode_traces", "unzipped"]
