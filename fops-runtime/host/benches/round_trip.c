/*
 * The peer: a file system of libfuse3 with one file, whose ioctl turns the bytes of its argument around.
 *
 * round_trip DIRECTORY: mounts there, says "ready", and unmounts when it is terminated.
 */
#define FUSE_USE_VERSION 34
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NODE 2

static void attributes(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == NODE ? S_IFREG | 0666 : S_IFDIR | 0755;
	st->st_nlink = 1;
}

static void peer_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = NODE, .attr_timeout = 1000.0, .entry_timeout = 1000.0 };

	if (parent != FUSE_ROOT_ID || strcmp(name, "node")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attributes(NODE, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void peer_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct stat st;

	(void)file;
	attributes(ino, &st);
	fuse_reply_attr(req, &st, 1000.0);
}

static void peer_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	if (ino != NODE) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	file->direct_io = 1;
	fuse_reply_open(req, file);
}

static void peer_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *arg, struct fuse_file_info *file,
		       unsigned int flags, const void *in, size_t in_size, size_t out_size)
{
	char bytes[4096];
	size_t i;

	(void)ino, (void)command, (void)arg, (void)file, (void)flags;
	if (in_size != out_size || in_size > sizeof(bytes)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	for (i = 0; i < in_size; i++)
		bytes[i] = ((const char *)in)[in_size - 1 - i];
	fuse_reply_ioctl(req, 0, bytes, out_size);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = peer_lookup,
	.getattr = peer_getattr,
	.open = peer_open,
	.ioctl = peer_ioctl,
};

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config config = { .clone_fd = 0, .max_idle_threads = 10 };
	struct fuse_session *session;
	int result;

	if (argc != 2)
		return 2;
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, argv[1]))
		return 1;
	puts("ready");
	fflush(stdout);
	result = fuse_session_loop_mt(session, &config);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return result;
}
