/** The lessons by the end of their address: what each is called, the program that it takes apart, and what there is to see. */
export const LESSONS = {
  "backward-by-hand": {
    title: "Backward by hand",
    program: "seed-000",
    paragraphs: [
      "Two layers, no biases: 64 rows of 1000 numbers go through 100 ReLU neurons to 10 outputs; the loss is the sum of the squared errors. It is the smallest network that has everything: a forward pass, a backward pass written by hand, an update.",
      "Watch the backward pass reuse the forward one: h_relu stands in the gradient of w2, and where h was below 0 nothing goes back. The comparison is kept by the first kernel, so that h itself is never written to memory.",
    ],
  },
  "a-bias-for-each-row": {
    title: "A bias for each row",
    program: "seed-001",
    paragraphs: [
      "The biases here are [100, 9] and [100, 3]: each of the 100 rows has its own. Usually a bias belongs to a neuron, and its gradient is summed over the rows; here there is nothing to sum, and the gradient of a bias is that of the value it was added to.",
      "That is no mistake of the derivatives, as the table below says. It is a network that can learn its rows by heart.",
    ],
  },
  "same-plan-other-numbers": {
    title: "The same plan, other numbers",
    program: "seed-002",
    paragraphs: [
      "The program of “Backward by hand” with another start. The plan is the same to the last kernel: a plan depends on shapes, never on numbers, which is why it is compiled once and replayed.",
    ],
  },
  "the-famous-mistake": {
    title: "The famous mistake",
    program: "seed-003",
    paragraphs: [
      "A sum over the wrong axis. Two rows, two features, two hidden neurons: every matrix is 2 by 2, and no shape complains of a mistake. The gradient of W1 is written dz · Xᵀ, which sums over the features where it should sum over the rows; the right one is dzᵀ · X. With three rows the product would not have fitted, and the mistake would have shown itself.",
      "There are more. b1 is a column, so it is added by row where it should belong to a neuron, and its gradient is a mean over the rows; the gradient of W2 is summed where it should be averaged. Only b2's is the derivative of the loss.",
      "It still seems to learn: the loss falls. But the path is unstable, and float32 leaves that of float64 at about step 80. Choose “by grad()” to see the derivatives that belong to this loss.",
    ],
  },
  "two-moons": {
    title: "Two moons",
    program: "seed-004",
    paragraphs: [
      "200 points, three tanh neurons, a softmax of two classes. The gradient of softmax and cross entropy together is the probabilities less the truth, one subtraction; that of tanh needs only its own result, 1 − a².",
      "Gradients are summed over the points, not averaged, so that the rate of 0.01 is a large one: between passes 1,000 and 3,000 the path is unstable, and two ends are right.",
    ],
  },
} as const;
