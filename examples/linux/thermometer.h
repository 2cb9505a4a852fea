/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* The ioctls of /dev/thermometer. */
#ifndef THERMOMETER_H
#define THERMOMETER_H

#include <linux/ioctl.h>

/* Returns the temperature. */
#define THERMOMETER_GET _IO('T', 1)
/* Sets the temperature, which the simulated hardware does not do by itself. Wakes readers. */
#define THERMOMETER_HEAT _IO('T', 2)
/* Returns the temperature after that many milliseconds: a slow bus. */
#define THERMOMETER_SLOW _IO('T', 3)

#endif
