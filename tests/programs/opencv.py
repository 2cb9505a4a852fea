# Reads pictures until there are none: argument 1 is the node, argument 2 how many at most (0: no limit).
import cv2
import sys

camera = cv2.VideoCapture(sys.argv[1], cv2.CAP_V4L2)
pictures = 0
while pictures == 0 or pictures != int(sys.argv[2]):
    ok, picture = camera.read()
    if not ok:
        print("no more", flush=True)
        break
    pictures += 1
    if pictures == 5:
        print("pictures", picture.shape[1], picture.shape[0], flush=True)
