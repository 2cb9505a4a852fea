// SPDX-License-Identifier: GPL-2.0
/* The board: a platform device that the thermometer's driver binds to by its name. */
#include <linux/module.h>
#include <linux/platform_device.h>

static struct platform_device *thermometer;

static int __init board_init(void)
{
	thermometer = platform_device_register_simple("thermometer", PLATFORM_DEVID_NONE, NULL, 0);
	return PTR_ERR_OR_ZERO(thermometer);
}

static void __exit board_exit(void)
{
	platform_device_unregister(thermometer);
}

module_init(board_init);
module_exit(board_exit);
MODULE_DESCRIPTION("a board with a thermometer");
MODULE_LICENSE("GPL");
