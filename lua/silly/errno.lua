--- Error numbers in words: `errno[n]` for the number that a close callback gets, `errno.CONNRESET`
--- for a name of the system's without its E. Each is a text with the number behind it:
--
--     errno[104]        "Connection reset by peer (104)"
--     errno.CONNRESET   the same
--     errno[0]          "closed in order (0)", what the other end's orderly close is
--     errno.NONSENSE    "Unknown error 'NONSENSE'"
--
-- Numbers and words are the system's, but for those that the original fixes. To compare, use the texts:
-- `errno[number] == errno.CONNRESET`.

local core = require "silly.internal.core"

--- Codes of the original's own, beyond the system's.
local OWN = {
	RESOLVE = 10000,
	NOSOCKET = 10001,
	CLOSING = 10002,
	CLOSED = 10003,
	EOF = 10004,
	TLS = 10005,
}

--- Words that are the same on every system.
local WORDS = {
	[0] = "closed in order",
	[OWN.RESOLVE] = "Address resolution failed",
	[OWN.NOSOCKET] = "No free socket available",
	[OWN.CLOSING] = "Socket is closing",
	[OWN.CLOSED] = "Socket is closed",
	[OWN.EOF] = "End of file",
	[OWN.TLS] = "TLS error",
	[core.errno_numbers.TIMEDOUT] = "Operation timed out",
}

--- What a number of the system's can be.
local LARGEST = 2 ^ 31 - 1

local function explain(key)
	local number = type(key) == "number" and key or OWN[key] or core.errno_numbers[key]
	if not number or number ~= math.floor(number) or number < 0 or number > LARGEST then
		return ("Unknown error '%s'"):format(tostring(key))
	end
	return ("%s (%d)"):format(WORDS[number] or core.errno_text(number), number)
end

--- The texts, by number and by name.
---@type table<string|integer, string>
local errno = setmetatable({}, {
	__index = function(known, key)
		local text = explain(key)
		if key == key then -- NaN can be no key
			known[key] = text
		end
		return text
	end,
})

return errno
