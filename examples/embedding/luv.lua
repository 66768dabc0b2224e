-- libuv's loop runs the program, and silly is a guest: libuv watches one descriptor and steps when
-- it is readable. It needs luv (Debian's lua-luv) and Linux.
--
-- Start it with the interpreter; under bin/silly there is a loop already.
--
-- Prints:
--   answer: HELLO
--   libuv's own timer ran meanwhile: true
--   nothing is pending any more

local uv = require "luv"

local cluster = require "silly.net.cluster"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"

-- What every such program needs.
local watch = uv.new_poll(assert(silly.fd()))
local function step()
	if not silly.step(0) then
		watch:stop() -- else it keeps libuv's loop alive; start it again with the next task
		print("nothing is pending any more")
	end
end
watch:start("r", step)

-- The rest is any silly program.
cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(_, _, body)
		time.sleep(50)
		return body:upper()
	end,
}

local ticks = 0
local clock = uv.new_timer()
clock:start(5, 5, function()
	ticks = ticks + 1
end)

task.fork(function()
	local listener = assert(cluster.listen("127.0.0.1:0"))
	local peer = cluster.connect(listener.addr)
	print("answer: " .. assert(cluster.call(peer, 1, "hello")))
	print("libuv's own timer ran meanwhile: " .. tostring(ticks > 0))
	cluster.close(peer)
	cluster.close(listener)
	clock:stop()
end)

uv.run()
