/* SPDX-License-Identifier: GPL-2.0 */
/* The simulated hardware: a VIN, which writes frames to memory, and a sensor. Each has a page of registers. */
#ifndef VIN_BOARD_H
#define VIN_BOARD_H

#include <linux/types.h>

/* Byte offsets in the page of the VIN. */
#define VIN_ID		0x00
#define VIN_CONTROL	0x04
#define VIN_STATUS	0x08
#define VIN_FRAMES	0x0c
#define VIN_ADDRESS	0x10
#define VIN_LENGTH	0x14
#define VIN_BRIGHTNESS	0x18
#define VIN_POWER	0x1c

#define VIN_ID_VALUE	0x56494e31
#define VIN_CONTROL_RUN	1
#define VIN_STATUS_BUSY	1

/* And in that of the sensor. */
#define SENSOR_ID	0x00
#define SENSOR_SIZE	0x04
#define SENSOR_STREAM	0x08

#define SENSOR_ID_VALUE	0x53454e31

enum vin_board_page { VIN_PAGE, SENSOR_PAGE, VIN_BOARD_PAGES };

/* Maps a page of registers, or NULL. Unmapped, it is not there: a late read is a fault. */
void *vin_board_map(unsigned int page);
void vin_board_unmap(unsigned int page, void *registers);

/* The interrupt of the VIN. One handler; when the second function has returned, it does not run any more. */
int vin_board_request_irq(void (*handler)(void *data), void *data);
void vin_board_free_irq(void);

#endif
