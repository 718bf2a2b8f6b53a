// Loaded before a command: when the process that started it is gone, however it went, the command is asked to stop.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
