// SPDX-License-Identifier: GPL-2.0
/*
 * What each package used until when, exactly; in debugfs as an array of
 * `struct lab_instant`.
 */
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "eproflab.h"

void lab_remember(struct lab_package *package, bool update)
{
	struct lab_instant *instant;
	int domain;

	instant = &package->history[package->instants++ % LAB_INSTANTS];
	instant->ns = package->at;
	for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++)
		instant->nj[domain - 1] = package->energy[domain].whole;
	instant->update = update;
}

int lab_history_init(void)
{
	int id;

	for (id = 0; id < LAB_PACKAGES; id++) {
		lab_packages[id].history = vzalloc(LAB_INSTANTS * sizeof(struct lab_instant));
		if (!lab_packages[id].history) {
			lab_history_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void lab_history_exit(void)
{
	int id;

	for (id = 0; id < LAB_PACKAGES; id++)
		vfree(lab_packages[id].history);
}

/* The updates since the last reset, oldest first, as `struct lab_instant`. */
struct snapshot {
	size_t size;
	struct lab_instant instants[];
};

static int history_open(struct inode *inode, struct file *file)
{
	struct lab_package *package = inode->i_private;
	struct snapshot *copy;
	unsigned long flags;
	u64 from, at;

	copy = vmalloc(sizeof(*copy) + LAB_INSTANTS * sizeof(struct lab_instant));
	if (!copy)
		return -ENOMEM;
	raw_spin_lock_irqsave(&package->lock, flags);
	lab_advance(package);
	lab_remember(package, false);
	from = package->instants > LAB_INSTANTS ? package->instants - LAB_INSTANTS : 0;
	for (at = from; at < package->instants; at++)
		copy->instants[at - from] = package->history[at % LAB_INSTANTS];
	copy->size = (package->instants - from) * sizeof(struct lab_instant);
	raw_spin_unlock_irqrestore(&package->lock, flags);
	file->private_data = copy;
	return 0;
}

static ssize_t history_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	struct snapshot *copy = file->private_data;

	return simple_read_from_buffer(to, count, at, copy->instants, copy->size);
}

static int history_release(struct inode *inode, struct file *file)
{
	vfree(file->private_data);
	return 0;
}

const struct file_operations lab_history_fops = {
	.owner = THIS_MODULE,
	.open = history_open,
	.read = history_read,
	.release = history_release,
};
