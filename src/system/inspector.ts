// Imported before anything else: Node opens its debugger port on SIGUSR1, which in a process of root would
// let any local user run code as root. A listener takes the signal's handler away from the debugger.
process.on('SIGUSR1', () => undefined);
