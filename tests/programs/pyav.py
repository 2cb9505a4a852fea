# Reads pictures until there are none: argument 1 is the node, argument 2 how many at most (0: no limit).
import av
import sys

pictures = 0
try:
    with av.open(sys.argv[1], format="v4l2") as camera:
        for picture in camera.decode(video=0):
            pictures += 1
            if pictures == 5:
                print("pictures", picture.width, picture.height, flush=True)
            if pictures == int(sys.argv[2]):
                break
except OSError as error:
    print(error, flush=True)
