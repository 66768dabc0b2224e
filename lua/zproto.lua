return require("silly.core").zproto
