#include <errno.h>
#include <fcntl.h>
#include <libv4l2.h>
#include <libv4l-plugin.h>
#include <libv4lconvert.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

// Swift imports neither variadic functions nor request numbers made by macros with arguments.
static inline int cv4l_ioctl(int file, unsigned long request, void *argument) {
    return v4l2_ioctl(file, request, argument);
}

static const unsigned long cv4l_querycap = VIDIOC_QUERYCAP;
static const unsigned long cv4l_enum_fmt = VIDIOC_ENUM_FMT;
static const unsigned long cv4l_g_fmt = VIDIOC_G_FMT;
static const unsigned long cv4l_s_fmt = VIDIOC_S_FMT;
static const unsigned long cv4l_g_parm = VIDIOC_G_PARM;
static const unsigned long cv4l_s_parm = VIDIOC_S_PARM;
static const unsigned long cv4l_queryctrl = VIDIOC_QUERYCTRL;
static const unsigned long cv4l_g_ctrl = VIDIOC_G_CTRL;
static const unsigned long cv4l_s_ctrl = VIDIOC_S_CTRL;
static const unsigned long cv4l_reqbufs = VIDIOC_REQBUFS;
static const unsigned long cv4l_querybuf = VIDIOC_QUERYBUF;
static const unsigned long cv4l_qbuf = VIDIOC_QBUF;
static const unsigned long cv4l_dqbuf = VIDIOC_DQBUF;
static const unsigned long cv4l_streamon = VIDIOC_STREAMON;
static const unsigned long cv4l_streamoff = VIDIOC_STREAMOFF;
static const unsigned long cv4l_subscribe_event = VIDIOC_SUBSCRIBE_EVENT;
static const unsigned long cv4l_dqevent = VIDIOC_DQEVENT;

// A device without any feature: what libv4lconvert sees where it only converts.
static inline int cv4l_no_device(void *ops, int file, unsigned long request, void *argument) {
    (void)ops;
    (void)file;
    if (request == VIDIOC_QUERYCAP) {
        memset(argument, 0, sizeof(struct v4l2_capability));
        return 0;
    }
    errno = EINVAL;
    return -1;
}

static inline struct v4lconvert_data *cv4l_converter(void) {
    static const struct libv4l_dev_ops no_device = {.ioctl = cv4l_no_device};
    return v4lconvert_create_with_dev_ops(-1, NULL, &no_device);
}
