from rsr import _rsr
__version__ = _rsr.version()
