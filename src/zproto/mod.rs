//! The zproto serialisation format.
