from .handler import handle


# Runs when the image is built. It holds for every handler, because builders lay a function without tests of its own
# over this folder; replace it by what your handler promises.
def test_the_handler_can_be_called():
    assert callable(handle)
