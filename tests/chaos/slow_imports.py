"""What run_pipeline imports only when it needs it, as if from a cold disk of a cluster: each module takes a while.

So that a kill, a freeze, or a takeover that is noticed, often strikes in the middle of an import.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["MODULES", "SlowDisk", "check_whole"]

MODULES = (
    ("asyncio", "run"),
    ("bz2", "compress"),
    ("concurrent.futures", "ThreadPoolExecutor"),
    ("csv", "DictReader"),
    ("curses", "wrapper"),
    ("decimal", "Decimal"),
    ("email.mime.multipart", "MIMEMultipart"),
    ("ensurepip", "version"),
    ("html.parser", "HTMLParser"),
    ("http.client", "HTTPSConnection"),
    ("imaplib", "IMAP4"),
    ("lzma", "compress"),
    ("matplotlib.pyplot", "figure"),
    ("matplotlib.tri", "Triangulation"),
    ("mailbox", "Maildir"),
    ("multiprocessing.managers", "BaseManager"),
    ("numpy.f2py", "run_main"),
    ("numpy.ma", "masked_array"),
    ("numpy.polynomial", "Chebyshev"),
    ("numpy.testing", "assert_allclose"),
    ("pandas", "DataFrame"),
    ("pdb", "Pdb"),
    ("plistlib", "dumps"),
    ("pydoc", "render_doc"),
    ("scipy.cluster.hierarchy", "linkage"),
    ("scipy.fft", "fft"),
    ("scipy.integrate", "quad"),
    ("scipy.interpolate", "CubicSpline"),
    ("scipy.io", "loadmat"),
    ("scipy.ndimage", "gaussian_filter"),
    ("scipy.optimize", "minimize"),
    ("scipy.signal", "butter"),
    ("scipy.spatial", "cKDTree"),
    ("scipy.special", "gammaln"),
    ("scipy.stats", "norm"),
    ("sklearn.ensemble", "RandomForestRegressor"),
    ("sklearn.linear_model", "LogisticRegression"),
    ("smtplib", "SMTP"),
    ("sqlite3", "connect"),
    ("ssl", "create_default_context"),
    ("statistics", "median"),
    ("tarfile", "open"),
    ("torch.distributions", "Normal"),
    ("torch.fx", "symbolic_trace"),
    ("torch.nn", "Linear"),
    ("torch.optim", "Adam"),
    ("torch.utils.data", "DataLoader"),
    ("unittest.mock", "patch"),
    ("urllib.request", "urlopen"),
    ("wsgiref.simple_server", "make_server"),
    ("xml.dom.minidom", "parseString"),
    ("xml.sax.expatreader", "ExpatParser"),
    ("xmlrpc.client", "ServerProxy"),
    ("zipfile", "ZipFile"),
    ("zoneinfo", "ZoneInfo"),
)
"""A module, and something of it that is only there once all of it was run."""


class SlowDisk(MetaPathFinder):
    """Finds nothing, and takes its time for it; whoever imports holds the module's lock meanwhile."""

    def __init__(self, seconds: float) -> None:
        """So long for each module."""
        self._seconds = seconds

    def find_spec(
        self,
        fullname: str,  # noqa: ARG002 - the names are the protocol's
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Leaves it to the next finder."""
        time.sleep(self._seconds)
        return None


def check_whole(name: str, attribute: str) -> None:
    """Imports a module, and uses something of it and of all above it.

    Raises:
        ImportError, AttributeError: or whatever else half a module says.
    """
    getattr(importlib.import_module(name), attribute)
    parent = name
    while "." in parent:
        parent, _, child = parent.rpartition(".")
        getattr(sys.modules[parent], child)
