"""What networks are asked for: classes, values, masks, boxes, texts. A task is imported when it is asked for."""

from supernet import catalog

__getattr__, __dir__ = catalog.lazy(__name__)
