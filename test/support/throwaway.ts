// Guards the machine: what is imported from here changes /etc/pam.d and must run in a throw-away root only.
if (process.env.RSESSION_PAM_THROWAWAY !== '1' || process.getuid?.() !== 0) {
  throw new Error(
    'these tests change /etc and run as root: start them with "npm test", which makes a throw-away root',
  );
}

export {};
