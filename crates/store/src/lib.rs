//! Where IAM state lives: documents on the filer or in memory.
