/** Named in `sys/health`; clients that look for features read it. */
export const VERSION = '1.14.0+dev-authority';
