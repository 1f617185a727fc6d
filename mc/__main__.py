"""`python -m mc ...` is `python -m mc.run ...`."""

from mc.run import main

main()
