// SPDX-License-Identifier: GPL-2.0
/*
 * What each thread really used, per name that it had, in debugfs.
 */
#include <linux/hash.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>

#include "eproflab.h"

#define ACCOUNTS 32768
#define BUCKETS_LOG 12

static struct lab_account *accounts;
static u32 used;
static u64 lost;
static struct lab_account *buckets[1 << BUCKETS_LOG];
static DEFINE_RAW_SPINLOCK(truth_lock);

/* The account of a thread under a name; NULL when there are too many. Called
 * with the lock of a package.
 */
struct lab_account *lab_account_of(pid_t tid, pid_t tgid, const char *comm)
{
	struct lab_account **bucket = &buckets[hash_32(tid, BUCKETS_LOG)];
	struct lab_account *account;

	raw_spin_lock(&truth_lock);
	for (account = *bucket; account; account = account->next)
		if (account->tid == tid && account->tgid == tgid &&
		    !strncmp(account->comm, comm, TASK_COMM_LEN))
			goto out;
	if (used == ACCOUNTS) {
		lost++;
		goto out;
	}
	account = &accounts[used++];
	account->tid = tid;
	account->tgid = tgid;
	strscpy(account->comm, comm, sizeof(account->comm));
	account->next = *bucket;
	*bucket = account;
out:
	raw_spin_unlock(&truth_lock);
	return account;
}

/* With the locks of all packages. */
void lab_truth_clear(void)
{
	raw_spin_lock(&truth_lock);
	memset(accounts, 0, used * sizeof(*accounts));
	memset(buckets, 0, sizeof(buckets));
	used = 0;
	lost = 0;
	raw_spin_unlock(&truth_lock);
}

static int truth_show(struct seq_file *file, void *unused)
{
	u32 at, count = READ_ONCE(used);
	unsigned long flags;
	int id;

	for (id = 0; id < lab_package_count; id++) {
		raw_spin_lock_irqsave(&lab_packages[id].lock, flags);
		lab_advance(&lab_packages[id]);
		raw_spin_unlock_irqrestore(&lab_packages[id].lock, flags);
	}
	seq_printf(file, "# lost %llu\n# tid tgid package ns core_nj uncore_nj ram_nj comm\n", lost);
	for (at = 0; at < count; at++) {
		const struct lab_account *account = &accounts[at];

		for (id = 0; id < lab_package_count; id++)
			if (account->used[id].ns)
				seq_printf(file, "%d %d %d %llu %llu %llu %llu %s\n",
					   account->tid, account->tgid, id,
					   account->used[id].ns,
					   account->used[id].core.whole,
					   account->used[id].uncore.whole,
					   account->used[id].ram.whole,
					   account->comm);
	}
	return 0;
}

static int truth_open(struct inode *inode, struct file *file)
{
	return single_open(file, truth_show, NULL);
}

const struct file_operations lab_truth_fops = {
	.owner = THIS_MODULE,
	.open = truth_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

int lab_truth_init(void)
{
	accounts = vzalloc(ACCOUNTS * sizeof(*accounts));
	return accounts ? 0 : -ENOMEM;
}

void lab_truth_exit(void)
{
	vfree(accounts);
}
