// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: `truth`, `packages`, `history-N`, and `reset`, which puts the module's
 * parameters in force.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/seq_file.h>

#include "eproflab.h"

static struct dentry *directory;

static int packages_show(struct seq_file *file, void *unused)
{
	int id, domain;

	seq_puts(file, "# package now_ns (true_nj latched_nj) of cores, package, memory\n");
	for (id = 0; id < lab_package_count; id++) {
		struct lab_package *package = &lab_packages[id];
		u64 truth[LAB_DOMAINS], latched[LAB_DOMAINS], now;
		unsigned long flags;

		raw_spin_lock_irqsave(&package->lock, flags);
		now = lab_advance(package);
		for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++) {
			truth[domain] = package->energy[domain].whole;
			latched[domain] = package->latched[domain];
		}
		raw_spin_unlock_irqrestore(&package->lock, flags);
		seq_printf(file, "%d %llu", id, now);
		for (domain = LAB_CORES; domain < LAB_DOMAINS; domain++)
			seq_printf(file, " %llu %llu", truth[domain], latched[domain]);
		seq_putc(file, '\n');
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(packages);

static ssize_t reset_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	int error = lab_apply();

	return error ?: count;
}

static const struct file_operations reset_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = reset_write,
};

int lab_files_init(void)
{
	char name[16];
	int id;

	directory = debugfs_create_dir("eproflab", NULL);
	if (IS_ERR(directory))
		return PTR_ERR(directory);
	debugfs_create_file("truth", 0400, directory, NULL, &lab_truth_fops);
	debugfs_create_file("packages", 0400, directory, NULL, &packages_fops);
	debugfs_create_file("reset", 0200, directory, NULL, &reset_fops);
	for (id = 0; id < lab_package_count; id++) {
		snprintf(name, sizeof(name), "history-%d", id);
		debugfs_create_file(name, 0400, directory, &lab_packages[id], &lab_history_fops);
	}
	return 0;
}

void lab_files_exit(void)
{
	debugfs_remove(directory);
}
