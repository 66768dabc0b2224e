-- What the gateway and its workers say to each other: a text each way, the answer behind its HTTP
-- status in three digits.

return {
	commands = { upper = 1, sleep = 2, fail = 3 },

	marshal = function(kind, cmd, body)
		if body and kind == "response" then
			return cmd, ("%03d%s"):format(body.status, body.text)
		end
		return body and cmd, body
	end,

	unmarshal = function(kind, _, data)
		if kind == "request" then
			return data
		end
		local status, text = data:match("^(%d%d%d)(.*)$")
		if not status then
			return nil, "malformed answer"
		end
		return { status = tonumber(status), text = text }
	end,
}
