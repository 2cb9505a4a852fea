// SPDX-License-Identifier: GPL-2.0
/*
 * The board of the VIN: its platform device, and the hardware, which is simulated by a timer.
 *
 * While the control register says so, the hardware writes a frame each 10 ms to the address that it was given, as DMA does:
 * whoever has that memory now. Then it raises its interrupt. It goes on when its driver is gone, if that has not stopped it.
 */
#include <linux/dma-mapping.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "vin_board.h"

#define PERIOD (10 * NSEC_PER_MSEC)
/* How much of a frame is written: to fill it all would take the simulation too long. */
#define WRITTEN 4096

/* Without frames, those who wait for one sleep. */
static bool frames = true;
module_param(frames, bool, 0644);

/* How many frames were written since the board is there. */
static unsigned int written;
module_param(written, uint, 0444);

static struct platform_device *vin;
static struct page *pages[VIN_BOARD_PAGES];
static struct hrtimer timer;

static DEFINE_SPINLOCK(irq_lock);
static void (*irq_handler)(void *data);
static void *irq_data;

static u32 *reg(unsigned int page, unsigned int offset)
{
	return page_address(pages[page]) + offset;
}

void *vin_board_map(unsigned int page)
{
	return vmap(&pages[page], 1, VM_MAP, PAGE_KERNEL);
}
EXPORT_SYMBOL_GPL(vin_board_map);

void vin_board_unmap(unsigned int page, void *registers)
{
	if (page == VIN_PAGE && READ_ONCE(*reg(page, VIN_CONTROL)) & VIN_CONTROL_RUN)
		pr_err("BUG: vin_board: the VIN runs when its registers are unmapped\n");
	if (page == SENSOR_PAGE && READ_ONCE(*reg(page, SENSOR_STREAM)))
		pr_err("BUG: vin_board: the sensor streams when its registers are unmapped\n");
	vunmap(registers);
	/* And no CPU remembers it. */
	vm_unmap_aliases();
}
EXPORT_SYMBOL_GPL(vin_board_unmap);

int vin_board_request_irq(void (*handler)(void *data), void *data)
{
	unsigned long flags;
	int ret = -EBUSY;

	spin_lock_irqsave(&irq_lock, flags);
	if (!irq_handler) {
		irq_data = data;
		irq_handler = handler;
		ret = 0;
	}
	spin_unlock_irqrestore(&irq_lock, flags);
	return ret;
}
EXPORT_SYMBOL_GPL(vin_board_request_irq);

void vin_board_free_irq(void)
{
	unsigned long flags;

	spin_lock_irqsave(&irq_lock, flags);
	irq_handler = NULL;
	spin_unlock_irqrestore(&irq_lock, flags);
}
EXPORT_SYMBOL_GPL(vin_board_free_irq);

/* The number of the frame, in each word. */
static void write_frame(void)
{
	u32 address = READ_ONCE(*reg(VIN_PAGE, VIN_ADDRESS)), length = READ_ONCE(*reg(VIN_PAGE, VIN_LENGTH));
	u32 frame = ++*reg(VIN_PAGE, VIN_FRAMES);

	written++;
	if (address && length)
		memset32(phys_to_virt(address), frame, min_t(u32, length, WRITTEN) / sizeof(u32));
}

static enum hrtimer_restart tick(struct hrtimer *self)
{
	u32 *status = reg(VIN_PAGE, VIN_STATUS);

	WRITE_ONCE(*status, VIN_STATUS_BUSY);
	/* A driver that has stopped the VIN sees that it is busy, or the VIN sees that it is stopped. */
	smp_mb();
	if (READ_ONCE(*reg(VIN_PAGE, VIN_CONTROL)) & VIN_CONTROL_RUN && READ_ONCE(frames)) {
		write_frame();
		spin_lock(&irq_lock);
		if (irq_handler)
			irq_handler(irq_data);
		spin_unlock(&irq_lock);
	}
	smp_store_release(status, 0);
	hrtimer_forward_now(self, PERIOD);
	return HRTIMER_RESTART;
}

static int __init board_init(void)
{
	const struct platform_device_info info = {
		.name = "vin", .id = PLATFORM_DEVID_NONE, .dma_mask = DMA_BIT_MASK(32)
	};
	int i;

	for (i = 0; i < VIN_BOARD_PAGES; i++)
		pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);
	*reg(VIN_PAGE, VIN_ID) = VIN_ID_VALUE;
	*reg(SENSOR_PAGE, SENSOR_ID) = SENSOR_ID_VALUE;
	vin = platform_device_register_full(&info);
	if (IS_ERR(vin)) {
		for (i = 0; i < VIN_BOARD_PAGES; i++)
			__free_page(pages[i]);
		return PTR_ERR(vin);
	}
	hrtimer_setup(&timer, tick, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer_start(&timer, PERIOD, HRTIMER_MODE_REL);
	return 0;
}

static void __exit board_exit(void)
{
	int i;

	platform_device_unregister(vin);
	hrtimer_cancel(&timer);
	for (i = 0; i < VIN_BOARD_PAGES; i++)
		__free_page(pages[i]);
}

module_init(board_init);
module_exit(board_exit);
MODULE_DESCRIPTION("a board with a VIN and a sensor, both simulated");
MODULE_LICENSE("GPL");
