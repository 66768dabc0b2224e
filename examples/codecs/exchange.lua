-- What every codec of this directory has to carry, between two ends in one process: a request, its
-- answer, an error of the handler, a value that no codec can carry, and bytes that are no message.

local cluster = require "silly.net.cluster"
local task = require "silly.task"

local exchange = { ADD = 1, DIVIDE = 3 }

-- An answer is a table with a `result`, or with an `error` for what went wrong in the handler. Were
-- there no answer in that case, the caller would learn of it from the timeout.
local handlers = {
	[exchange.ADD] = function(body)
		local total = 0
		for _, number in ipairs(body.numbers) do
			total = total + number
		end
		return { result = total }
	end,
	[exchange.DIVIDE] = function(body)
		if body.by == 0 then
			return { error = "division by zero" }
		end
		return { result = body.number / body.by }
	end,
}

-- As cluster.call, with the handler's error as the reason.
local function ask(peer, cmd, body)
	local answer, why = cluster.call(peer, cmd, body)
	if answer and answer.error then
		return nil, answer.error
	end
	return answer and answer.result, why
end

local function show(what, result, why)
	print(what .. ": " .. (result and ("%d"):format(result) or "nil, " .. tostring(why)))
end

-- Runs it with a codec: a table with marshal and unmarshal.
function exchange.run(codec)
	cluster.serve {
		marshal = codec.marshal,
		unmarshal = codec.unmarshal,
		call = function(_, cmd, body)
			local handler = handlers[cmd]
			return handler and handler(body)
		end,
	}
	local listener = assert(cluster.listen("127.0.0.1:0"))
	task.fork(function()
		local peer = cluster.connect(listener.addr)
		show("1 + 2 + 3", ask(peer, exchange.ADD, { numbers = { 1, 2, 3 } }))
		show("7 / 0", ask(peer, exchange.DIVIDE, { number = 7, by = 0 }))
		show("a function", ask(peer, exchange.ADD, { numbers = { print } }))
		show("bytes that are none", codec.unmarshal("response", exchange.ADD, "\255\255"))
		cluster.close(peer)
		cluster.close(listener)
	end)
end

return exchange
